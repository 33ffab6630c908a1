"""Structure models on public databases beside the checkout: integrity, cardinality, one molecule a bond."""

from pathlib import Path

import numpy as np
import pytest

from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.ingest.ingestion import ingest_database
from tabgraphsyn.data.link import link_relation
from tabgraphsyn.data.options import DatasetOptions
from tabgraphsyn.data.order import KeyUse, Plan, driver_relations, generation_order
from tabgraphsyn.data.pointers import follow
from tabgraphsyn.data.reference import SMALL_ROWS, crowded_masks
from tabgraphsyn.data.schema import Database, Schema
from tabgraphsyn.data.split import HoldoutConfig, holdout_masks, training_pointers
from tabgraphsyn.generation.structure.base import StructureModel, Topology
from tabgraphsyn.generation.structure.degrees import DegreesStructure
from tabgraphsyn.generation.structure.rules import learn_rules
from tabgraphsyn.generation.structure.skeleton import SkeletonStructure

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


def split(name: str, folder: Path) -> tuple[Topology, dict[str, np.ndarray], dict[str, int]]:
    """Return the training topology, and the pointers and row counts of the whole database."""
    if not (DATA / name).is_dir():
        pytest.skip(f"../shared/data/{name} is not beside this checkout")
    ingest_database(DatasetOptions.from_mapping({"name": name, "path": str(DATA / name)}), folder)
    schema = Schema.from_dict(read_json(folder / "schema.json"))
    database = Database.open(schema, folder / "tables")
    rows = {table: database[table].num_rows for table in schema.table_names}
    pointers = {item.name: link_relation(database, item) for item in schema.relations}
    use = {key: KeyUse.measure(pointer) for key, pointer in pointers.items()}
    order = generation_order(schema.table_names, schema.relations, {key: one.null_share for key, one in use.items()})
    driver = driver_relations(order, schema.relations, use)
    shared = tuple(table for table in rows if rows[table] < SMALL_ROWS)
    crowded = crowded_masks(schema.relations, pointers, rows)
    held = holdout_masks(order, rows, driver, shared, pointers, HoldoutConfig(), crowded)
    plan = Plan(
        order,
        {table: None if item is None else item.name for table, item in driver.items()},
        shared,
        rows,
        {table: int((~held[table]).sum()) for table in rows},
    )
    training = {
        item.name: training_pointers(pointers[item.name], held[item.child_table], held[item.parent_table])
        for item in schema.relations
    }
    return Topology(learn_rules(schema, plan, training), plan.training_rows, training), pointers, rows


def distance(real: np.ndarray, new: np.ndarray, real_parents: int, new_parents: int) -> float:
    first = np.bincount(real[real >= 0], minlength=real_parents)
    second = np.bincount(new[new >= 0], minlength=new_parents)
    return max(abs((first <= v).mean() - (second <= v).mean()) for v in np.unique(np.concatenate([first, second])))


@pytest.mark.parametrize("model", [SkeletonStructure, DegreesStructure])
@pytest.mark.parametrize("name", ["mutagenesis", "cora", "airbnb"])
def test_cardinality_against_the_whole_real_database(name: str, model: type[StructureModel], tmp_path: Path) -> None:
    topology, pointers, rows = split(name, tmp_path)
    fitted = model()
    fitted.fit(topology)
    for scale in (0.5, 1.0, 2.0):
        skeleton = fitted.grow(scale=scale, rows=None, seed=0)
        for link in topology.plan.links:
            new = skeleton.pointers[link.name]
            assert new.max() < skeleton.rows[link.parent]
            gap = distance(pointers[link.name], new, rows[link.parent], skeleton.rows[link.parent])
            assert gap < (0.04 if model is SkeletonStructure else 0.07), (link.name, scale, gap)
            assert skeleton.rows[link.child] == pytest.approx(scale * rows[link.child], rel=0.05)
        for item in topology.plan.equalities:
            left, right = (follow(path, skeleton.pointers) for path in (item.left, item.right))
            known = (left >= 0) & (right >= 0)
            assert (left == right)[known].mean() > (0.999 if model is SkeletonStructure else 0.9)
