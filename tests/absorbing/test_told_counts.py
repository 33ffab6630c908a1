"""What a network is told of a row's children: how many, and plainly whether there is one, a second, a third."""

import numpy as np

from tabgraphsyn.stages.around_rows import FEW_CHILDREN, _as_told


def test_few_children_are_told_plainly():
    pointer = np.array([0, 2, 2, 3, 3, 3, 3, -1])
    told = np.stack(_as_told(pointer, 5), axis=1)
    assert told.shape == (5, 1 + len(FEW_CHILDREN))
    assert told[:, 1:].tolist() == [[1, 0, 0], [0, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0]]
    assert told[3, 0] > told[2, 0] > told[0, 0] > told[1, 0] == 0
