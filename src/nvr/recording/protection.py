"""Give a segment another kind, which is to rename its file: protect a clip for ever, or let it go again."""

import os
from dataclasses import replace

from nvr.core.errors import InvalidInputError, StorageError
from nvr.recording.index import SegmentIndex
from nvr.recording.reindex import sync_hour
from nvr.recording.segment import Segment, SegmentKind
from nvr.recording.tree import sync_folder


def change_kind(index: SegmentIndex, segment: Segment, kind: SegmentKind) -> Segment | None:
    """Rename a segment's file and update the index; None where the file is gone.

    The file goes first. A crash in between leaves a row under the old name, whose file the cleaner does not find; it
    looks at the folder then, and finds the new name.

    Raises:
        InvalidInputError: A file of the new name is there already; neither is touched.
        StorageError: The disk or the index cannot be written.
    """
    changed = replace(segment, kind=kind)
    if changed == segment:
        return segment
    old, new = index.root / segment.path, index.root / changed.path
    if os.path.lexists(new):
        raise InvalidInputError(f"{segment.path} cannot become {kind}: {changed.path} is there already")
    try:
        old.rename(new)
        sync_folder(new.parent)
    except FileNotFoundError:
        sync_hour(index, segment.origin.folder)
        return None
    except OSError as error:
        raise StorageError(f"{old}: {error.strerror}") from error
    index.replace(segment, changed)
    return changed
