"""The page that shows an error."""

from http import HTTPStatus

from flask import render_template, request

from iris_app.iris import SCHEMA
from iris_app.web.problem import Problem
from iris_app.web.response import Response

MESSAGES = {
    400: (
        "That request could not be read",
        "The browser sent something that we did not understand. Please start again from the form.",
    ),
    404: ("There is no such page", "The address may be mistyped, or the page may have moved."),
    405: ("This page cannot be used like that", "It answers the form; please start from there."),
    413: ("That was too much at once", "More was sent than the form can take. Please start again from the form."),
    500: (
        "Something went wrong on our side",
        f"Your {SCHEMA.noun} is not to blame, and the fault was noted. Please try again later.",
    ),
    503: (
        "No answer at the moment",
        "Your measurements are fine, but nothing can classify them just now. Please try again in a few seconds.",
    ),
}


def render_problem(problem: Problem) -> Response:
    """Render a problem as a page."""
    heading, advice = MESSAGES.get(problem.status, (problem.title, problem.detail))
    typed = _form_values() if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else {}
    page = render_template("ui/error.html", heading=heading, advice=advice, problem=problem, typed=typed)
    return Response(page, problem.status)


def _form_values() -> dict[str, str]:
    """Return the values of the form, so that they are not lost."""
    names = [feature.form_name for feature in SCHEMA.features]
    return {name: request.values[name] for name in names if name in request.values}
