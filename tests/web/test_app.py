from unittest import mock

from flask import Flask

from iris_app.web.app import SessionInterface


def test_only_the_session_of_a_cookie_is_verified(app: Flask) -> None:
    client = app.test_client()
    with mock.patch.object(
        SessionInterface, "get_signing_serializer", autospec=True, side_effect=SessionInterface.get_signing_serializer
    ) as verified:
        assert client.get("/api/model").status_code == 200
        assert not verified.called
        client.set_cookie("session", "forged")
        assert client.get("/api/model").status_code == 200
        assert verified.called
