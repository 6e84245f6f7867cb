"""Which numbers have the cameras that commands added to our processors, as these show them."""

from collections.abc import Collection, Mapping


class AddedCameras:
    """Tells them from those of the file. Not thread-safe.

    A camera that was taken out of the file is the file's until its processor shows it no more: it may come back.
    """

    def __init__(self) -> None:
        """Know of no camera yet."""
        self._of_file = frozenset[int]()
        self._given = frozenset[int]()
        self._shown: dict[str, frozenset[int]] = {}

    @property
    def owners(self) -> Mapping[int, str]:
        """The process that shows each of them, by source id."""
        return {
            source_id: name
            for name, source_ids in self._shown.items()
            for source_id in source_ids
            if source_id not in self._given
        }

    def keep(self, source_ids: Collection[int], processes: Collection[str]) -> None:
        """Take note of the cameras that the file has now, and forget processes that are none of ours any more."""
        self._of_file = frozenset(source_ids)
        self._given |= self._of_file
        self._shown = {name: shown for name, shown in self._shown.items() if name in processes}

    def note(self, process: str, source_ids: Collection[int]) -> None:
        """Take note of all cameras that a process shows; none when it has ended."""
        self._shown[process] = frozenset(source_ids)
        self._given = self._of_file | self._given.intersection(*[frozenset().union(*self._shown.values())])
