"""The page that shows an error."""

from http import HTTPStatus

from flask import render_template, url_for

from iris_app.ui.blueprint import filled_url
from iris_app.ui.forms import OWN_NAMES
from iris_app.web.problem import Problem
from iris_app.web.request import request
from iris_app.web.response import Response

MESSAGES = {
    400: (
        "That request could not be read",
        "The browser sent something that we did not understand. Please start again from the form.",
    ),
    404: ("There is no such page", "The address may be mistyped, or the page may have moved."),
    405: ("This page cannot be opened by itself", "It shows the answer to a form. Please start from the form."),
    413: (
        "That was too much at once",
        "More was sent than this page can take. Please send less, or start again from the form.",
    ),
    500: ("Something went wrong on our side", "This is not your fault, and it was noted. Please try again later."),
    503: ("No answer at the moment", "Nothing can be classified just now. Please try again in a few seconds."),
}

KEPT = "Nothing can be classified just now. What you entered is kept: please try again in a few seconds."


# The views whose requests have the values of a form.
FORM_ENDPOINTS = frozenset({"ui.home", "ui.show", "ui.classify"})


def render_problem(problem: Problem) -> Response:
    """Render a problem as a page."""
    heading, advice = MESSAGES.get(problem.status, (problem.title, problem.detail))
    typed = _typed() if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else {}
    again = filled_url("ui.show", typed) if typed else None
    form = (filled_url("ui.home", typed) if typed else None) or url_for("ui.home")
    if again and problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        advice = KEPT
    page = render_template("ui/error.html", heading=heading, advice=advice, problem=problem, again=again, form=form)
    return Response(page, problem.status)


def _typed() -> dict[str, str]:
    """Return the values that were sent to the form, if there are any, so that they are not lost."""
    if request.endpoint not in FORM_ENDPOINTS:
        return {}
    typed = {name: text for name, text in request.values.items() if name.rstrip("_") not in OWN_NAMES}
    return typed if any(map(str.strip, typed.values())) else {}
