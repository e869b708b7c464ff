"""Evidence files: written once by the inspectors, named relative to the data folder, hashed."""

import hashlib
import socket
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from inspection_cell.errors import StoreError
from inspection_cell.findings import EvidenceFile
from inspection_cell.observations import ViewKey


def shot_of(file: EvidenceFile) -> str:
    """Which shot of a lighting sequence a file shows, by its name; empty: no sequence."""
    parts = PurePosixPath(file.name).name.split('.')  # presentation, sensor, shot, kind, suffix
    return parts[2] if len(parts) == 5 else ''


@dataclass(frozen=True, slots=True)
class EvidenceFolder:
    """Where this host keeps evidence: `<data_dir>/evidence/<inspection_id>/…`.

    Files are named `<presentation>.<sensor>.<kind><suffix>`, those of a lighting sequence
    `<presentation>.<sensor>.<shot>.<kind><suffix>`.
    """

    data_dir: Path
    host: str = field(default_factory=socket.gethostname)

    def write(
        self,
        inspection_id: str,
        view: ViewKey,
        kind: str,
        suffix: str,
        content: bytes,
        shot: str = '',
    ) -> EvidenceFile:
        """Write one file completely or not at all.

        Args:
            inspection_id: names the folder.
            view: which sensor saw it in which presentation.
            kind: what it shows: image, scan, deviation, signal.
            suffix: of the file, with the dot.
            content: the whole file.
            shot: of a lighting sequence.

        Raises:
            StoreError: when the folder cannot be written, or a name would lead out of it.
        """
        what = f'{shot}.{kind}' if shot else kind
        name = f'evidence/{inspection_id}/{view.presentation}.{view.sensor}.{what}{suffix}'
        parts = PurePosixPath(name).parts
        if len(parts) != 3 or '..' in parts:
            raise StoreError(f'{name}: expected an inspection_id and names without / and ..')
        path = self.data_dir / name
        partial = path.with_name(path.name + '.part')
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(path)
        except OSError as error:
            raise StoreError(f'{path}: cannot write evidence: {error.strerror}') from error
        return EvidenceFile(name, hashlib.sha256(content).hexdigest(), kind, self.host)
