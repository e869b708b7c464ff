from itertools import product

from inspection_cell.sim.seeds import Purpose, stream


def test_streams_of_two_purposes_or_seeds_or_things_have_nothing_in_common() -> None:
    things = list(product(Purpose, (0, 1, 7), (('plan',), ('part_0001', 'top'), ('defect', 3))))
    draws = [stream(purpose, seed, *keys).integers(0, 2**63, 8) for purpose, seed, keys in things]
    values = [value for draw in draws for value in draw.tolist()]
    assert len(set(values)) == len(values)


def test_the_same_arguments_give_the_same_stream() -> None:
    first, second = (stream(Purpose.DEMO, 7, 'part_0001', 'left').random(4) for _ in range(2))
    assert first.tolist() == second.tolist()
