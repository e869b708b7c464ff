"""Which views speak for a part: the ones that the recipe asks for, each at most once."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from inspection_cell.findings import Presence, PresenceStatus, ViewFindings, ViewStatus
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe


def required_views(recipe: Recipe) -> tuple[ViewKey, ...]:
    """Every view that the recipe asks for, in its order."""
    return tuple(
        ViewKey(name, sensor)
        for name, presentation in recipe.file.presentations.items()
        for sensor in presentation.sensors
    )


def judged_views(recipe: Recipe) -> tuple[ViewKey, ...]:
    """Every view that findings must come of: the required ones, and what scans say together."""
    joint = recipe.file.joint_view
    return required_views(recipe) + ((joint,) if joint else ())


def admit(
    recipe: Recipe, inspection_id: str, delivered: Iterable[ViewFindings]
) -> tuple[ViewFindings, ...]:
    """One `ViewFindings` per judged view, in the recipe's order, presence granted.

    A view that was not delivered becomes MISSING, one of another inspection or one delivered
    twice REFUSED. Views that the recipe does not ask for are left out: they prove nothing.
    """
    by_view: dict[ViewKey, list[ViewFindings]] = {view: [] for view in judged_views(recipe)}
    for view in delivered:
        if view.view in by_view:
            by_view[view.view].append(view)
    only = [_only(inspection_id, view, given) for view, given in by_view.items()]
    return prove_presence(recipe, only)


def prove_presence(recipe: Recipe, views: Iterable[ViewFindings]) -> tuple[ViewFindings, ...]:
    """Grant presence among the views that look at the part, and take it from those that do not.

    A process signal does not show the part: whatever its view claims about presence, pose or
    surface is dropped. The order stays.
    """
    views = _held_together(recipe, tuple(views))
    looking = (view for view in views if not is_process(recipe, view.view))
    granted = iter(grant_presence(looking, recipe.file.joint_scans))
    return tuple(
        _of_signal(view) if is_process(recipe, view.view) else next(granted) for view in views
    )


def is_process(recipe: Recipe, view: ViewKey) -> bool:
    """Whether the view is a process signal, which neither shows nor places the part."""
    return view.sensor in recipe.file.process


def _of_signal(view: ViewFindings) -> ViewFindings:
    return replace(
        view,
        presence=Presence(),
        transform_part_to_sensor=None,
        transform_part_to_cell_refined=None,
        intrinsics=None,
        seen=None,
    )


def _held_together(recipe: Recipe, views: tuple[ViewFindings, ...]) -> tuple[ViewFindings, ...]:
    """Grant presence to scans that alone leave a direction open, where the others held them."""
    joint = next((view for view in views if view.view == recipe.file.joint_view), None)
    if joint is None or not joint.is_evidence:
        return views
    scans = recipe.file.joint_scans
    return tuple(
        _granted(view, f'registered together: {joint.view}') if view.view in scans else view
        for view in views
    )


def grant_presence(
    views: Iterable[ViewFindings], joint_scans: Collection[ViewKey] = ()
) -> tuple[ViewFindings, ...]:
    """Let a registered scan prove presence for the cameras of the same presentation.

    Only views that could not judge presence themselves (UNKNOWN) gain it; ABSENT stays ABSENT.

    Args:
        views: of one part.
        joint_scans: views of scans whose presence proves that they were registered, alone or
            together with others.
    """
    views = tuple(views)
    proofs = {
        view.view.presentation: f'registered by {view.view}'
        for view in reversed(views)
        if view.is_evidence
        and (view.transform_part_to_cell_refined is not None or view.view in joint_scans)
    }
    return tuple(_granted(view, proofs.get(view.view.presentation, '')) for view in views)


def _granted(view: ViewFindings, evidence: str) -> ViewFindings:
    unjudged = view.presence.status is PresenceStatus.UNKNOWN
    if not evidence or not unjudged or view.status is not ViewStatus.OK:
        return view
    return replace(view, presence=Presence(PresenceStatus.PRESENT, evidence, 1.0))


def _only(inspection_id: str, key: ViewKey, given: list[ViewFindings]) -> ViewFindings:
    own = [view for view in given if view.inspection_id == inspection_id]
    if len(own) == 1:
        return own[0]
    if own:
        reason = f'findings came {len(own)} times, expected once'
        return ViewFindings(inspection_id, key, ViewStatus.REFUSED, reason)
    if given:
        reason = f'findings are of inspection {given[0].inspection_id}, not {inspection_id}'
        return ViewFindings(inspection_id, key, ViewStatus.REFUSED, reason)
    return ViewFindings(inspection_id, key, ViewStatus.MISSING, 'no findings came')
