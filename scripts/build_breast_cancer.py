"""Build the embedded single-table data set ``breast_cancer`` from the file that scikit-learn carries.

python scripts/build_breast_cancer.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_breast_cancer

from tabgraphsyn.data.files import folder_written_aside, write_json, write_text
from tabgraphsyn.data.metadata import metadata_dict
from tabgraphsyn.data.schema import Column, Schema, TableSchema

OUT = Path(__file__).parent.parent / "tabgraphsyn" / "data" / "embedded" / "breast_cancer"
NOTICE = """\
Breast Cancer Wisconsin (Diagnostic): 569 rows, 30 measurements of cell nuclei, the diagnosis

Source: W. Wolberg, O. Mangasarian, N. Street, W. Street (1993), UCI Machine Learning Repository,
https://doi.org/10.24432/C5DW2B, as scikit-learn carries it (sklearn.datasets.load_breast_cancer).

Licence: CC BY 4.0, https://creativecommons.org/licenses/by/4.0/

Changed: the class is written out (malignant, benign) in a column `diagnosis`. Built by scripts/build_breast_cancer.py.
"""


def main() -> None:
    """Write the table, its metadata and the licence note."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    data = load_breast_cancer()
    names = [str(name) for name in data.feature_names]
    diagnosis = [str(data.target_names[target]) for target in data.target]
    table = pa.table(dict(zip(names, data.data.T, strict=True)) | {"diagnosis": diagnosis})
    columns = (*(Column(name, "numerical", computer_representation="Float") for name in names),
               Column("diagnosis", "categorical"))  # fmt: skip
    with folder_written_aside(out) as aside:
        pq.write_table(table, aside / "breast_cancer.parquet", compression="zstd", compression_level=19)
        write_json(aside / "metadata.json", metadata_dict(Schema((TableSchema("breast_cancer", columns),))))
        write_text(aside / "NOTICE.md", NOTICE)


if __name__ == "__main__":
    main()
