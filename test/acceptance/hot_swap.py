"""Acceptance: models come and go while the demo runs; no part loses its verdict.

    python test/acceptance/hot_swap.py [--parts 24] [--swaps 20] [--seed 3] [--model FOLDER]

Swaps the recipes' model (or FOLDER, as if it were promoted) and a copy of it with another hash in
turn, and a damaged one at the end, while the demo inspects. Prints one line per swap and verdict
and a summary as the last line, as JSON; exit status 1 when a part has no verdict, a verdict names
no model or two, or a swap did not do as it should.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from inspection_cell.bringup import load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.cell_run import isolated_environment
from inspection_cell.errors import InspectionCellError
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.models import MODEL_FILE, file_sha256, find_model, load_model_folder
from inspection_cell.records.store import RecordStore
from inspection_cell.swap_request import SwapAnswer, request_swap

NAMESPACE = load_cell(demo_cell()).file.name
COMMAND = [sys.executable, '-c', 'from inspection_cell.cli import main; main()']


def main() -> int:
    """Run the demo, swap meanwhile, and check every record."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument('--parts', type=int, default=40)
    options.add_argument('--swaps', type=int, default=20)
    options.add_argument('--seed', type=int, default=3)
    options.add_argument('--model', type=Path)
    asked = options.parse_args()
    os.environ.update(isolated_environment())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.model is not None:
            for part_type in ('bracket', 'ring'):
                shutil.copytree(asked.model, folder / 'data' / 'models' / part_type)
        shipped, copy, damaged = candidates(folder)
        words = ['--parts', asked.parts, '--seed', asked.seed, '--data-dir', folder / 'data']
        command = [*COMMAND, 'demo', *map(str, words), '--json']
        demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        await_first_verdict(folder / 'data', demo)
        answers = swap_in_turn(demo, (copy, shipped), asked.swaps)
        refused = refusal(demo, damaged)
        stdout, _ = demo.communicate()
        return judged(folder / 'data', stdout, answers, refused, asked)


def candidates(folder: Path) -> tuple[Path, Path, Path]:
    """The recipes' model, a copy of it with another hash, and a damaged one."""
    cell = load_cell(demo_cell())
    shipped = find_model(load_recipes(cell, demo_recipes())[0], folder / 'data')
    copy, damaged = folder / 'copy', folder / 'damaged'
    shutil.copytree(shipped, damaged)
    weights = load_model_folder(shipped).weights.name
    (damaged / weights).write_bytes(b'half a file')
    shutil.copytree(shipped, copy)
    # A remark in the archive: the same network by other bytes, so that its exports stay proven.
    before = file_sha256(copy / weights)
    with zipfile.ZipFile(copy / weights, 'a') as archive:
        archive.comment = b'the same network again'
    description = copy / MODEL_FILE
    text = description.read_text(encoding='utf-8')
    description.write_text(text.replace(before, file_sha256(copy / weights)), encoding='utf-8')
    return shipped, copy, damaged


def await_first_verdict(data: Path, demo: 'subprocess.Popen[str]') -> None:
    """Return when the demo has inspected its first part."""
    while demo.poll() is None and not verdicts(data):
        time.sleep(0.5)


def verdicts(data: Path) -> list:
    """What is recorded so far, the oldest first."""
    if not (data / 'records.sqlite').is_file():
        return []
    store = RecordStore(data)
    try:
        records = sorted(store.list(limit=100_000), key=lambda record: record.verdict.stamp_ns)
        return [record.verdict for record in records]
    finally:
        store.close()


def swap_in_turn(
    demo: 'subprocess.Popen[str]', models: tuple[Path, Path], count: int
) -> list[SwapAnswer]:
    """Swap both part types in turn, as long as the demo runs."""
    answers = []
    for number in range(count):
        if demo.poll() is not None:
            break
        part_type = ('bracket', 'ring')[number % 2]  # the second shares what the first loaded
        try:
            answers.append(request_swap(part_type, models[number // 2 % 2], NAMESPACE))
        except InspectionCellError as error:
            answers.append(SwapAnswer(False, str(error), ''))
        sys.stdout.write(json.dumps({'swap': number + 1, **asdict(answers[-1])}) + '\n')
        sys.stdout.flush()
    return answers


def refusal(demo: 'subprocess.Popen[str]', damaged: Path) -> SwapAnswer | None:
    """The answer to a damaged model; None when the demo was over before."""
    return request_swap('bracket', damaged, NAMESPACE) if demo.poll() is None else None


def judged(
    data: Path, stdout: str, answers: list[SwapAnswer], refused: SwapAnswer | None, asked
) -> int:
    """Print every verdict and the summary; 0 when all is as it must be."""
    summary = json.loads(stdout.splitlines()[-1])
    models: Counter[str] = Counter()
    problems = []
    for verdict in verdicts(data):
        seen = {view.model_hash for view in verdict.views if view.model_hash}
        models[verdict.model_hash[:12]] += 1
        line = {'part': verdict.part_id, 'decision': verdict.decision.name}
        sys.stdout.write(json.dumps({**line, 'models': sorted(h[:12] for h in seen)}) + '\n')
        if seen != {verdict.model_hash}:
            problems.append(f'{verdict.part_id} names {verdict.model_hash!r}, saw {sorted(seen)}')
    if models.total() != asked.parts or summary['parts'] != asked.parts:
        problems.append(f'{models.total()} verdicts of {asked.parts} parts')
    problems += [answer.message for answer in answers if not answer.success]
    if len(answers) < asked.swaps:
        problems.append(f'the demo was over after {len(answers)} swaps: ask for more parts')
    if refused is not None and refused.success:
        problems.append('a damaged model was put in place')
    told = {key: summary[key] for key in ('parts', 'escapes', 'false_rejects', 'unknown')}
    told |= {'verdict_latency_ms': summary['verdict_latency_ms'], 'swaps': len(answers)}
    told |= {'verdicts_by_model': dict(models), 'problems': problems}
    told['refused'] = refused.message if refused else 'not tried: the demo was over'
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + '\n')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
