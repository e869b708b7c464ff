"""Promoted models in the data folder: copies, a link to the one in use, and what was before.

`<data_dir>/models/<part type>` is a link to
`<data_dir>/models/.versions/<part type>/<time>_<hash>`, which changes in one step: who loads the
model meanwhile finds the old one or the new one, whole.
`history.jsonl` beside the versions tells who replaced whom; a rollback takes its last line back.
"""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from inspection_cell.errors import ModelError
from inspection_cell.learning.challenge import CHALLENGE
from inspection_cell.models import (
    MODEL_FILE,
    ModelFolder,
    load_model_folder,
    own_model,
    promoted_model,
)
from inspection_cell.recipe import Recipe

VERSIONS, HISTORY = '.versions', 'history.jsonl'


@dataclass(frozen=True, slots=True)
class History:
    """One promotion.

    Attributes:
        replaced: hash of the model before; None where there was none.
        lower: least bound of the differences to it (mAP50, recall, precision).
        version: folder under the versions; empty until it is put in place.
        before: what the link showed before; None: there was no link, the recipe's own served.
    """

    time: str
    sha256: str
    replaced: str | None
    lower: float | None
    version: str = ''
    before: str | None = None

    @classmethod
    def of(
        cls, folder: ModelFolder, incumbent: ModelFolder | None, lower: float | None
    ) -> 'History':
        """What is known before the model is put in place."""
        now = datetime.now(UTC).strftime('%Y%m%dT%H%M%S%f')
        return cls(now, folder.sha256, incumbent.sha256 if incumbent else None, lower)


class PromotedModels:
    """The promoted models of one part type."""

    def __init__(self, recipe: Recipe, data_dir: Path) -> None:
        """Nothing is made before something is put."""
        self._link = promoted_model(recipe, data_dir)
        self._own = own_model(recipe)
        self._versions = self._link.parent / VERSIONS / self._link.name
        self._history = self._versions / HISTORY

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One promotion at a time, over processes too.

        Raises:
            ModelError: while another one runs, or where the data folder cannot be written.
        """
        try:
            self._versions.mkdir(parents=True, exist_ok=True)
            lock = (self._versions / '.lock').open('w')
        except OSError as error:
            raise ModelError(f'{self._versions}: cannot be written: {error.strerror}') from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ModelError(f'{self._link}: another promotion is under way') from error
            yield

    def put(self, folder: ModelFolder, history: History) -> Path:
        """Copy a model, check the copy, and let the link show it; returns the copy."""
        version = self._versions / f'{history.time}_{folder.sha256[:12]}'
        promotions = self._read()
        try:
            _copy(folder, version)
            _check_whole(version)
            before = self._shown(history.time)
            record = {**asdict(history), 'version': version.name, 'before': before}
            self._write([*promotions, History(**record)])
            self._show(version.name)
        except (OSError, ModelError) as error:
            with suppress(OSError):
                self._write(promotions)
            shutil.rmtree(version, ignore_errors=True)
            raise ModelError(f'{self._link}: {folder.path} is not promoted: {error}') from error
        return version

    def take_back(self) -> None:
        """Let the link show what it showed before the last promotion."""
        promotions = self._read()
        if not promotions:
            raise ModelError(f'{self._link}: expected an earlier promotion, there is none')
        before = promotions[-1].before
        _check_whole(self._own if before is None else self._versions / before)
        try:
            self._show(before)
            self._write(promotions[:-1])
        except OSError as error:
            raise ModelError(f'{self._link}: cannot be written: {error}') from error

    def _shown(self, time: str) -> str | None:
        """Name of the version that the link shows; a folder put there by hand becomes one."""
        if self._link.is_symlink():
            return Path(self._link.readlink()).name
        if not self._link.exists():
            return None
        by_hand = self._versions / f'{time}_by_hand'
        self._link.rename(by_hand)
        try:
            self._show(by_hand.name)
        except OSError:
            by_hand.rename(self._link)  # else the recipe's own would serve unnoticed
            raise
        return by_hand.name

    def _show(self, version: str | None) -> None:
        if version is None:
            self._link.unlink(missing_ok=True)
            return
        new = self._versions / '.link'
        new.unlink(missing_ok=True)
        new.symlink_to(Path(VERSIONS) / self._link.name / version)
        new.replace(self._link)

    def _read(self) -> list[History]:
        if not self._history.is_file():
            return []
        try:
            lines = self._history.read_text(encoding='utf-8').splitlines()
            return [History(**json.loads(line)) for line in lines]
        except (ValueError, TypeError) as error:
            raise ModelError(f'{self._history}: expected one promotion a line: {error}') from error

    def _write(self, promotions: list[History]) -> None:
        new = self._history.with_suffix('.new')
        lines = [json.dumps(asdict(one)) + '\n' for one in promotions]
        new.write_text(''.join(lines), encoding='utf-8')
        new.replace(self._history)


def _check_whole(path: Path) -> None:
    """Raise ModelError unless weights and proven exports are there and fit their hashes."""
    folder = load_model_folder(path)
    for export in folder.exports:
        folder.export_path(export)


def _copy(folder: ModelFolder, version: Path) -> None:
    """What belongs to a model; a training leaves more in its folder."""
    version.mkdir(parents=True)
    files = [MODEL_FILE, folder.file.weights, *(export.path for export in folder.exports)]
    files += [path.name for path in folder.path.glob('*.md')]
    files += [
        path.relative_to(folder.path).as_posix() for path in folder.path.glob('exports/*.md')
    ]
    if (folder.path / CHALLENGE).is_dir():
        files.append(CHALLENGE)
    for name in dict.fromkeys(files):
        source, target = folder.path / name, version / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
