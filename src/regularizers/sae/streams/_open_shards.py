"""The shards of a store that are in use, mapped into memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from regularizers.errors import DataError
from regularizers.sae.streams._files import digest_of_file, read_shard
from regularizers.sae.streams._index import Shard, StoreIndex
from regularizers.sae.streams._rows import Block, length_of


class OpenShards:
    """Maps shards when they are first asked for, and lets those go that were not used for longest.

    Args:
        folder: where the files are.
        index: what they must hold.
        verified: the shards whose digest is computed when they are first opened.
    """

    def __init__(self, folder: Path, index: StoreIndex, verified: Sequence[int]) -> None:
        self._folder, self._index = folder, index
        self._unverified = set(verified)
        self._open: dict[int, Block] = {}
        self._lock = Lock()

    def get(self, shard: int, keep: int) -> Block:
        """Return the rows of a shard; at most `keep` stay open.

        Raises:
            DataError: the file is missing, or is not what the index says.
        """
        with self._lock:
            block = self._open.pop(shard, None)
            if block is None:
                block = self._opened(shard)
            self._open[shard] = block
            while len(self._open) > keep:
                del self._open[next(iter(self._open))]
            return block

    def _opened(self, number: int) -> Block:
        shard = self._index.shards[number]
        path = self._folder / shard.file
        if not path.is_file():
            raise DataError(f"{path}: the shard is missing; store the activations again")
        if number in self._unverified:
            found = digest_of_file(path)
            if found != shard.sha256:
                raise DataError(
                    f"{path}: expected the digest {shard.sha256[:12]}…, got {found[:12]}…: the "
                    f"shard was changed or is damaged; store the activations again"
                )
            self._unverified.discard(number)
        return self._checked(path, shard)

    def _checked(self, path: Path, shard: Shard) -> Block:
        try:
            block = read_shard(path)
        except Exception as error:  # safetensors has an exception of its own
            raise DataError(f"{path}: the shard cannot be read ({error})") from None
        if sorted(block) != sorted(self._index.sites) or length_of(block) != shard.rows:
            raise DataError(
                f"{path}: expected {shard.rows} rows of {', '.join(sorted(self._index.sites))}, "
                f"got {length_of(block)} of {', '.join(block)}; store the activations again"
            )
        return {name: block[name] for name in self._index.sites}
