"""The bundle as an MLflow pyfunc model ("models from code": MLflow stores this file, not a pickle).

It is copied into the bundle's `code/` and imports nothing of convoy: the predictor comes from the bundle.
Input: a column of samples; of pictures `image`, encoded ones (bytes; base64 in JSON); of rows their columns.
Output: the objective's columns; of classes `prediction`, `confidence` and a column `p:<class>` each.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


def load_predictor(bundle: Path) -> Any:
    """The bundle's own Predictor, from modules of its own, so that two bundles can live in one process.

    No bytecode is written: a bundle is named by its content, and stays as it was registered.
    """
    code = str(bundle / "code")
    modules = [path.stem for path in (bundle / "code").glob("*.py")]
    writes_no_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    before = {name: sys.modules.pop(name) for name in modules if name in sys.modules}
    sys.path.insert(0, code)
    try:
        importlib.invalidate_caches()
        return importlib.import_module("predictor").Predictor(bundle)
    finally:
        sys.dont_write_bytecode = writes_no_bytecode
        sys.path.remove(code)
        for name in modules:
            sys.modules.pop(name, None)
        sys.modules.update(before)


class BundleModel(PythonModel):
    def load_context(self, context: Any) -> None:
        self._predictor = load_predictor(Path(context.artifacts["bundle"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        del context, params
        given, said = self._predictor.input, self._predictor.output
        if hasattr(given, "columns"):  # a sample is a row
            contents = given.frame(model_input)
        else:
            contents = [given.cell(value) for value in model_input[given.column]]
        answers = [said.row(row) for rows in self._predictor.rows(contents) for row in rows]
        return pd.DataFrame(answers, columns=[name for _, name in said.signature])


set_model(BundleModel())
