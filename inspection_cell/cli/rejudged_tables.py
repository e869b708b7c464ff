"""What judging again changed, as lines and a table or as one object."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from inspection_cell.cli.console import COLOURS, OUT
from inspection_cell.findings import Reason
from inspection_cell.rejudging import Rejudged, count_changes


def print_rejudged(rejudged: Sequence[Rejudged]) -> None:
    """Print one record after the other, and a table of the decisions."""
    for one in rejudged:
        before, after = (decision.name for decision in one.decisions)
        verdict = one.before
        same = before == after and not (one.gone or one.new)
        OUT.print(
            f'[bold]{escape(verdict.part_id)}[/] [{COLOURS[before]}]{before}[/] → '
            f'[{COLOURS[after]}]{after}[/]{" the same" if same else ""} '
            f'[dim]{escape(verdict.inspection_id)}[/]'
        )
        for sign, reasons in (('-', one.gone), ('+', one.new)):
            for reason in reasons:
                OUT.print(escape(f'  {sign} {reason.decision.name:<7} {reason.text}'))
    table = Table('before', 'after', 'records', title='Summary', title_justify='left')
    for (before_decision, after_decision), count in count_changes(rejudged).items():
        table.add_row(before_decision.name, after_decision.name, str(count))
    OUT.print(table)


def rejudged_to_json(rejudged: Sequence[Rejudged]) -> dict[str, object]:
    """The same as one object."""
    return {
        'records': [
            {
                'inspection_id': one.before.inspection_id,
                'part_id': one.before.part_id,
                'before': one.before.decision.name,
                'after': one.after.decision.name,
                'gone': [_reason_to_json(reason) for reason in one.gone],
                'new': [_reason_to_json(reason) for reason in one.new],
            }
            for one in rejudged
        ],
        'summary': [
            {'before': before.name, 'after': after.name, 'records': count}
            for (before, after), count in count_changes(rejudged).items()
        ],
    }


def _reason_to_json(reason: Reason) -> dict[str, object]:
    return {
        'code': reason.code,
        'text': reason.text,
        'value': reason.value,
        'limit': reason.limit,
        'decision': reason.decision.name,
    }
