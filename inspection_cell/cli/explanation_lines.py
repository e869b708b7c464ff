"""An explanation as lines for people, in the order in which a quality manager reads."""

from collections.abc import Iterator

from inspection_cell.explanation import (
    ExplainedDefect,
    ExplainedDisposition,
    ExplainedReason,
    ExplainedView,
    Explanation,
    Statement,
)
from inspection_cell.findings import Coverage

HASH_SHOWN = 12


def lines_of(explanation: Explanation) -> Iterator[str]:
    """Headings, and below each its lines, indented."""
    yield 'Reasons'
    for reason in explanation.reasons:
        yield f'  {_reason(reason)}'
    yield 'Defects'
    for defect in explanation.defects:
        yield from _defect(defect)
    if not explanation.defects:
        yield '  none'
    yield f'  probability that the part is bad, rules apart: {explanation.bad_probability:.3f}'
    for statement in explanation.contributions:
        yield f'    {_statement(statement)}'
    yield 'Views'
    for view in explanation.views:
        yield from _view(view)
    yield 'Coverage'
    yield from _coverage(explanation.coverage)
    yield 'Disposition'
    yield f'  {_disposition(explanation.disposition)}'
    yield 'Evidence'
    for file in explanation.evidence:
        where = '' if file.here else f' (not here; host {file.host or "unknown"})'
        yield f'  {file.name}{where}'
    if not explanation.evidence:
        yield '  none'
    yield 'Made with'
    yield (
        f'  recipe {_short(explanation.recipe_hash)}, cell {_short(explanation.cell_hash)}, '
        f'model {_short(explanation.model_hash)}, software {explanation.software_version or "?"}'
    )


def _reason(reason: ExplainedReason) -> str:
    bound = ''
    if reason.value or reason.limit:
        bound = f' (value {reason.value:.4g}, limit {reason.limit:.4g})'
    return f'{reason.decision:<7} {reason.code}: {reason.text}{bound}'


def _defect(defect: ExplainedDefect) -> Iterator[str]:
    yield f'  D{defect.number} {defect.label}, probability {defect.probability:.3f}'
    yield f'     {_place(defect)}; {_sizes(defect)}'
    for statement in defect.seen_by:
        yield f'     seen by {_statement(statement)}'
    for statement in defect.not_seen_by:
        yield f'     not seen by {_statement(statement)}, which shows the place'


def _place(defect: ExplainedDefect) -> str:
    if defect.position_mm is None:
        return 'place not known'
    x, y, z = defect.position_mm
    around = f' ± {2 * defect.position_sigma_mm:.2f}' if defect.position_sigma_mm else ''
    return f'at ({x:.1f}, {y:.1f}, {z:.1f}){around} mm'


def _sizes(defect: ExplainedDefect) -> str:
    sizes = [
        (defect.length_mm, f'{defect.length_mm:.1f} mm long'),
        (defect.width_mm, f'{defect.width_mm:.1f} mm wide'),
        (defect.area_mm2, f'{defect.area_mm2:.1f} mm² large'),
        (defect.volume_mm3, f'{defect.volume_mm3:.2f} mm³'),
        (defect.peak_mm, f'{defect.peak_mm:+.3f} mm off the reference'),
    ]
    told = [words for value, words in sizes if value]
    return ', '.join(told) or 'size not known'


def _statement(statement: Statement) -> str:
    what = f': {", ".join(statement.findings)}' if statement.findings else ''
    odds = '' if statement.log_odds is None else f' (log odds {statement.log_odds:+.2f})'
    return f'{statement.view}{what}{odds}'


def _view(view: ExplainedView) -> Iterator[str]:
    because = f': {view.reason}' if view.reason else ''
    yield f'  {view.view}: {view.status}{because}'
    if view.presence != 'UNKNOWN' or view.evidence:
        yield f'     part {view.presence.lower()}: {view.evidence}'
    if view.stamp_ns:
        aside = f', {view.not_judged} of them not judged' if view.not_judged else ''
        yield (
            f'     taken {view.stamp}, inspected in {view.inspect_s * 1e3:.0f} ms; '
            f'{view.findings} findings{aside}; pose {view.pose}'
        )
    hashes = (('model', view.model_hash), ('reference', view.reference_hash))
    told = ', '.join(f'{name} {_short(value)}' for name, value in hashes if value)
    if told:
        yield f'     {told}'


def _coverage(coverage: Coverage | None) -> Iterator[str]:
    if coverage is None:
        yield '  it is not known what was seen'
        return
    lacking = f'; lacking: {", ".join(coverage.unseen)}' if coverage.unseen else ''
    yield f'  {coverage.share:.1%} seen, at least {coverage.minimum:.1%}{lacking}'
    for zone in coverage.zones:
        yield f'  zone {zone.name}: {zone.share:.1%} seen, at least {zone.minimum:.1%}'


def _disposition(done: ExplainedDisposition | None) -> str:
    if done is None:
        return 'not recorded'
    confirmed = 'confirmed' if done.confirmed else 'not confirmed'
    because = f': {done.reason}' if done.reason else ''
    return f'{done.action.lower()} to {done.bin or "?"}, {confirmed}{because}'


def _short(sha256: str) -> str:
    return sha256[:HASH_SHOWN] or 'none'
