"""What people see: consoles for results and errors, a line per part, a summary table."""

import json
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inspection_cell.outcome import Outcome, Truth
from inspection_cell.outcome_summary import OutcomeSummary

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)
COLOURS = {'ACCEPT': 'green', 'REJECT': 'red', 'REVIEW': 'yellow', 'UNKNOWN': 'magenta'}
REASONS_SHOWN = 2


def say_error(text: str) -> None:
    """Print an error for people."""
    ERR.print(f'[bold red]error:[/] {escape(text)}')


def say_warning(text: str) -> None:
    """Print a warning for people."""
    ERR.print(f'[yellow]warning:[/] {escape(text)}')


def print_json(values: Mapping[str, object]) -> None:
    """Print one JSON object as the last line of stdout."""
    sys.stdout.write(json.dumps(values, allow_nan=False) + '\n')
    sys.stdout.flush()


def print_outcome(number: int, outcome: Outcome) -> None:
    """Print the line of one part."""
    colour = COLOURS[outcome.decision]
    mark = '  '
    if outcome.truth is not None:
        mark = '[red]!![/]' if outcome.is_escape or outcome.is_false_reject else '  '
    reasons = '; '.join(outcome.reasons[:REASONS_SHOWN])
    if len(outcome.reasons) > REASONS_SHOWN:
        reasons += f'; and {len(outcome.reasons) - REASONS_SHOWN} more'
    OUT.print(
        f'{number:3d} [bold]{escape(outcome.part_id)}[/] {outcome.part_type:<10} '
        f'{escape(_truth_in_words(outcome.truth)):<34} [{colour}]{outcome.decision:<7}[/]{mark} '
        f'[dim]verdict {_number(outcome.verdict_latency_ms)} ms, cycle {outcome.cycle_s:.1f} s, '
        f'{escape(outcome.disposition or "no disposition")}[/]\n'
        f'    {escape(reasons)} [dim]{outcome.inspection_id}[/]'
    )


def print_summary(summary: OutcomeSummary) -> None:
    """Print the table of figures."""
    table = Table(show_header=False, title='Summary', title_justify='left')
    truth = 'unknown'
    if summary.good is not None:
        truth = f'{summary.good} good, {summary.defective} defective'
    table.add_row('parts', f'{summary.parts} ({truth})')
    counts = {
        name: sum(entry.decision == name for entry in summary.inspections) for name in COLOURS
    }
    table.add_row('decisions', ', '.join(f'{count} {name}' for name, count in counts.items()))
    table.add_row('escapes (defective, accepted)', _number(summary.escapes))
    table.add_row('false rejects (good, not accepted)', _number(summary.false_rejects))
    latency, cycle = summary.verdict_latency_ms, summary.cycle_s
    table.add_row(
        'last frame to verdict', f'p50 {_number(latency.p50)} ms, p95 {_number(latency.p95)} ms'
    )
    table.add_row('cycle', f'p50 {_number(cycle.p50)} s, p95 {_number(cycle.p95)} s')
    table.add_row('verdict to actuator', f'p99 {_number(summary.release_latency_ms.p99)} ms')
    OUT.print(table)


def _truth_in_words(truth: Truth | None) -> str:
    if truth is None:
        return 'truth unknown'
    return 'good' if truth.good else f'defective: {", ".join(truth.defects) or "?"}'


def _number(value: float | None) -> str:
    if value is None:
        return '-'
    return f'{value:.0f}' if value == int(value) or value >= 100 else f'{value:.2f}'
