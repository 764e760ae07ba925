"""Serve a trained scikit-learn classifier with Flask: a page and a JSON API over one model."""

from collections.abc import Mapping

from flask import Flask
from flask_bootstrap import Bootstrap5
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from iris_app import (
    access,
    api,
    bulk,
    errors,
    inference_protocol,
    invocations,
    model_service,
    operations,
    packaging,
    settings,
    ui,
)
from iris_app.observability import recorder
from iris_app.web import compression, static_files
from iris_app.web.app import Application, normalize_script_name


def create_app(overrides: Mapping[str, object] | None = None) -> Flask:
    """Create the application.

    Parameters
    ----------
    overrides : mapping, optional
        Settings that replace ``instance/config.py`` and the environment, as tests need.

    Raises
    ------
    ConfigurationError
        Where a setting is missing, unknown or of the wrong type.
    """
    app = Application(
        __name__,
        instance_path=settings.instance_path() if overrides is None else None,
        instance_relative_config=True,
        static_folder=None,
        static_url_path="/static",
    )
    settings.configure(app, overrides)
    recorder.init_app(app)
    model_service.init_app(app)
    access.init_app(app)
    Bootstrap5(app)
    compression.init_app(app)
    app.register_blueprint(ui.bp)
    app.register_blueprint(api.bp)
    app.register_blueprint(api.swagger)
    app.register_blueprint(inference_protocol.bp)
    app.register_blueprint(invocations.bp)
    app.register_blueprint(operations.bp)
    app.register_blueprint(bulk.bp)
    app.register_blueprint(packaging.bp)
    errors.init_app(app, _renderers(app), pages=ui.render_problem, programs=api.render_problem)
    static_files.init_app(app)
    if root := app.config["APPLICATION_ROOT"].rstrip("/"):
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {root: app.wsgi_app})  # type: ignore[method-assign]
    if proxies := app.config["PROXY_COUNT"]:
        below = normalize_script_name(app.wsgi_app)
        app.wsgi_app = ProxyFix(below, x_for=proxies, x_proto=proxies, x_host=proxies, x_prefix=proxies)  # type: ignore[method-assign]
    return app


def _renderers(app: Flask) -> dict[str, errors.Renderer]:
    """Map the URL prefixes of blueprints to their renderers of problems."""
    return {
        "/api": api.render_problem,
        "/v2": inference_protocol.render_problem,
        **dict.fromkeys(invocations.routes(app), invocations.render_problem),
    }
