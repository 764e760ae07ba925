"""Where files are classified: here, one after the other, each by all processors."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from iris_app.bulk import job as jobs
from iris_app.bulk.job import Job
from iris_app.bulk.progress import Progress
from iris_app.bulk.summary import Summary
from iris_app.exceptions import InputError
from iris_app.model.classifier import Model

# A job, and what came of it.
Outcome = tuple[Job, Summary | InputError]


class Engine(Protocol):
    """What does jobs, in any order."""

    def run(self, todo: Sequence[Job], progress: Progress) -> Iterator[Outcome]:
        """Yield each job that is done, and what came of it."""


class Local:
    """Do jobs in this process.

    Parameters
    ----------
    model : Model
        What answers.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    def run(self, todo: Sequence[Job], progress: Progress) -> Iterator[Outcome]:
        """Yield each job that is done, and what came of it; see ``iris_app.bulk.job.run`` for what it raises."""
        for job in todo:
            try:
                yield job, jobs.run(job, self._model, progress.tell)
            except InputError as error:
                yield job, error
            progress.next_file()
