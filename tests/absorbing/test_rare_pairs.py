"""Tables of one column: pairs that training lacks come as often as the training rows foretell."""

import numpy as np
import torch

from tabgraphsyn.data.layout import CategoricalField, TableLayout
from tabgraphsyn.models.absorbing.around.surroundings import Surroundings, Way
from tabgraphsyn.models.absorbing.columns.units import Units
from tabgraphsyn.models.absorbing.network import AbsorbingNetwork
from tabgraphsyn.models.batch import EncodedTensors
from tabgraphsyn.models.families import Families
from tabgraphsyn.models.row_conditions import RowConditions
from tabgraphsyn.training.rare_pairs import MOST_SURPRISE, give_rare_pairs_their_share
from tabgraphsyn.training.unmasking import UnmaskingTask

LEVELS, ROWS, PARENTS = 150, 4000, 400
PARENT = TableLayout((), (CategoricalField("class", 3),))


def task(sharpness: float, second: bool = False) -> tuple[UnmaskingTask, torch.Tensor]:
    """Words of papers of three classes, foretold by how often each word is, sharpened; and the words."""
    rng = np.random.default_rng(3)
    often = 1 / np.arange(1, LEVELS + 1) ** 1.1
    words = rng.choice(LEVELS, ROWS, p=often / often.sum())
    fields = [CategoricalField("word", LEVELS), *([CategoricalField("other", 2)] if second else [])]
    layout = TableLayout((), tuple(fields))
    codes = np.stack([words, *([words % 2] if second else [])], axis=1).astype(np.int32)
    torch.manual_seed(0)
    network = AbsorbingNetwork(
        units=Units(layout, ()), facts=0, ancestors=[PARENT], has_families=False, width=16, layers=1, dropout=0.0,
        level_dim=4, history_dim=4,
    )  # fmt: skip
    counts = torch.from_numpy(np.bincount(words, minlength=LEVELS)) + 0.5
    with torch.no_grad():
        network.head.bias[:LEVELS] = sharpness * counts.log().float()
    classes = EncodedTensors(torch.zeros(PARENTS, 0, 2), torch.from_numpy(rng.integers(0, 3, (PARENTS, 1))).int())
    parent = rng.integers(0, PARENTS, ROWS)
    around = Surroundings(
        RowConditions.alone(torch.zeros(ROWS, 0)), torch.zeros(ROWS, 0), [Way(classes, torch.from_numpy(parent))]
    )
    made = UnmaskingTask(
        unmasking=network,
        encoded=EncodedTensors(torch.zeros(ROWS, 0, 2), torch.from_numpy(codes)),
        surroundings=around,
        families=Families.from_pointer(None, ROWS),
        entities=parent,
        batch_rows=256,
        seed=1,
    )
    return made, counts


def test_a_network_that_is_too_sure_is_flattened_until_new_pairs_have_their_share():
    sharp, counts = task(1.3)
    before = sharp.validation_loss()
    factor = give_rare_pairs_their_share(sharp)
    assert 0.5 <= factor < 1
    own = 1.3 * factor + (1 - factor)  # of how often a word is, by the network and by itself
    assert (sharp.unmasking.head.bias[:LEVELS] - own * counts.log())[counts > 30].abs().max() < 0.3
    after = sharp.validation_loss()
    assert before is not None and after is not None and after < before + MOST_SURPRISE


def test_a_network_that_is_flat_enough_and_a_table_of_several_columns_stay_as_they_are():
    for made, _ in (task(0.6), task(1.3, second=True)):
        bias = made.unmasking.head.bias.clone()
        assert give_rare_pairs_their_share(made) == 1.0
        assert torch.equal(made.unmasking.head.bias, bias)
