import threading
from pathlib import Path

import pytest

from nvr.assets.lock import FirstSeen, ModelsLock
from nvr.core.clock import SystemClock
from nvr.core.errors import ModelError


def test_remembers_the_first_and_keeps_it(tmp_path: Path) -> None:
    lock = ModelsLock(tmp_path / "models.lock", SystemClock())
    assert lock.find("https://a") is None
    assert lock.record("https://a", FirstSeen("aa", 1)) == FirstSeen("aa", 1)
    assert lock.record("https://a", FirstSeen("bb", 2)) == FirstSeen("aa", 1)
    assert ModelsLock(lock.path, SystemClock()).find("https://a") == FirstSeen("aa", 1)


def test_loses_no_record_of_many_writers(tmp_path: Path) -> None:
    def write(number: int) -> None:
        ModelsLock(tmp_path / "models.lock", SystemClock()).record(f"https://{number}", FirstSeen(f"{number}", number))

    threads = [threading.Thread(target=write, args=(number,), name=f"writer-{number}") for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    lock = ModelsLock(tmp_path / "models.lock", SystemClock())
    assert [lock.find(f"https://{number}") for number in range(12)] == [FirstSeen(f"{n}", n) for n in range(12)]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 2}', b'{"version": 1, "sources": {"a": 1}}', b"\xff"]
)
def test_a_broken_file_is_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "models.lock").write_bytes(content)
    with pytest.raises(ModelError, match="delete it to trust the files that are here now"):
        ModelsLock(tmp_path / "models.lock", SystemClock()).find("https://a")
