"""The models in use by their names: told, ended and counted together."""

import threading
from collections.abc import Callable, ItemsView, Iterable, ValuesView

from nvr.core.errors import ConfigurationError
from nvr.processor.model_branch import Branch, RetiredWork
from nvr.processor.model_slot import ModelStatus
from nvr.processor.model_work import ModelWork, joined_by_model
from nvr.processor.multiplexer import Multiplexer
from nvr.processor.report import QueueReport
from nvr.tracking.zone_counts import CountsSnapshot


class Branches:
    """Any thread may read; who changes which there are sees to it that nobody else does."""

    def __init__(self, by_name: dict[str, Branch]) -> None:
        """Begin with some, loaded or not, in the order in which they are reported."""
        self._by_name = by_name
        self._leaving: tuple[Multiplexer, ...] = ()
        self._past = RetiredWork()
        self._counting = threading.Lock()

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, model_id: str) -> bool:
        return model_id in self._by_name

    def __str__(self) -> str:
        return ", ".join(self._by_name)

    def items(self) -> ItemsView[str, Branch]:
        """Return names and branches of this moment."""
        return self._by_name.items()

    def values(self) -> ValuesView[Branch]:
        """Return the branches of this moment."""
        return self._by_name.values()

    def get(self, model_id: str) -> Branch | None:
        """Return that of a name."""
        return self._by_name.get(model_id)

    def add(self, model_id: str, branch: Branch) -> None:
        """Have one more."""
        self._by_name = self._by_name | {model_id: branch}

    def rename(self, model_id: str, new_id: str) -> None:
        """Know one by another name, in the same place."""
        self._by_name = {new_id if key == model_id else key: each for key, each in self._by_name.items()}

    def take_out(self, is_unused: Callable[[str, Branch], bool]) -> dict[str, Branch]:
        """Return those that are not needed any more, and know them no longer."""
        with self._counting:
            unused = {key: branch for key, branch in self._by_name.items() if is_unused(key, branch)}
            self._by_name = {key: branch for key, branch in self._by_name.items() if key not in unused}
            self._leaving += tuple(branch.multiplexer for branch in unused.values() if branch.multiplexer is not None)
        return unused

    def remember(self, branch: Branch) -> None:
        """Keep the counts of one that was taken out and has ended."""
        with self._counting:
            self._leaving = tuple(each for each in self._leaving if each is not branch.multiplexer)
            if branch.multiplexer is not None:
                self._past.add(branch.multiplexer)

    def check_classes(self, classes: Iterable[str]) -> None:
        """Raise ConfigurationError for a class that no model knows."""
        known = {
            name for branch in self._by_name.values() if branch.slot is not None for name in branch.slot.class_names
        }
        unknown = sorted(set(classes) - known)
        if unknown and "motion" not in known:
            raise ConfigurationError(f"classes: none of {self} has {unknown[0]}")

    def start(self) -> None:
        """Begin to look, in the background."""
        for multiplexer in self._multiplexers():
            multiplexer.start()

    def retune(self, *, max_batch: int, gather_s: float) -> None:
        """See `Multiplexer.retune`."""
        for multiplexer in self._multiplexers():
            multiplexer.retune(max_batch=max_batch, gather_s=gather_s)

    def finish(self, timeout_s: float) -> None:
        """Look at what waits, then end."""
        for multiplexer in self._multiplexers():
            multiplexer.finish()
        for multiplexer in self._multiplexers():
            multiplexer.join(timeout_s)

    def stop(self, left_s: Callable[[], float]) -> None:
        """End all threads after the batches in work."""
        for multiplexer in self._multiplexers():
            multiplexer.request_stop()
        for multiplexer in self._multiplexers():
            multiplexer.join(left_s())

    def close(self, left_s: Callable[[], float]) -> None:
        """Free the models; one that does not answer in time is left behind."""
        for branch in self._by_name.values():
            if branch.slot is not None:
                branch.slot.close(left_s())

    @property
    def analysed(self) -> int:
        """Frames so far, those too in which nothing was worth a look."""
        with self._counting:
            return self._past.analysed + sum(multiplexer.analysed for multiplexer in self._counted())

    @property
    def inferences(self) -> int:
        """Pictures that models have looked at so far."""
        with self._counting:
            return self._past.inferences + sum(multiplexer.inferences for multiplexer in self._counted())

    @property
    def failures(self) -> int:
        """Batches and frames that failed so far."""
        with self._counting:
            return self._past.failures + sum(multiplexer.failures for multiplexer in self._counted())

    @property
    def statuses(self) -> tuple[ModelStatus, ...]:
        """How each model does at this moment."""
        return tuple(branch.slot.status for branch in self._by_name.values() if branch.slot is not None)

    def works(self) -> tuple[ModelWork, ...]:
        """Return what each model has worked."""
        with self._counting:
            works = [work for multiplexer in self._counted() for work in multiplexer.works()]
            return joined_by_model([*self._past.works, *works])

    def queues(self) -> list[QueueReport]:
        """Return how many frames wait for each model."""
        return [
            QueueReport(
                f"frames for {model_id}", branch.frames.n_waiting, branch.frames.n_places, branch.frames.n_replaced
            )
            for model_id, branch in self._by_name.items()
        ]

    def counts(self) -> dict[int, CountsSnapshot]:
        """Return the counters of zones and lines of each camera that has some."""
        return {key: counts for mux in self._multiplexers() for key, counts in mux.counts().items()}

    def busy_for_s(self) -> float:
        """Return how long the longest of the present inferences has taken; 0 without any."""
        return max((multiplexer.busy_for_s() for multiplexer in self._multiplexers()), default=0.0)

    def _counted(self) -> list[Multiplexer]:
        """Return those too that are ending: what is counted never falls."""
        return [*self._leaving, *self._multiplexers()]

    def _multiplexers(self) -> list[Multiplexer]:
        return [branch.multiplexer for branch in self._by_name.values() if branch.multiplexer is not None]
