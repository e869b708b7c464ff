"""Which recipes a node is to hold travels whole, or is refused."""

from pathlib import Path

import pytest
from inspection_cell_msgs.srv import HoldRecipes
from rclpy.serialization import deserialize_message, serialize_message

from inspection_cell.errors import DataError
from inspection_cell.nodes.conversions.holding import identities_from_msg, identities_to_msg
from inspection_cell.recipe_identity import RecipeIdentity


def test_identities_survive_the_wire_in_their_order():
    sent = tuple(RecipeIdentity(Path(f'/recipes/{n}/recipe.yaml'), n * 64, n * 64) for n in 'abc')
    wired = deserialize_message(serialize_message(identities_to_msg(sent)), HoldRecipes.Request)
    assert identities_from_msg(wired) == sent


@pytest.mark.parametrize(
    'request_',
    [HoldRecipes.Request(), HoldRecipes.Request(recipes=['a'], recipe_hashes=['b'])],
    ids=['never filled in', 'cut short'],
)
def test_a_request_that_would_make_a_node_forget_its_recipes_is_refused(request_):
    with pytest.raises(DataError, match='expected'):
        identities_from_msg(request_)
