"""Where things lie in a project. dvc.yaml says the same to DVC; a test compares the two."""

from pathlib import Path

PARAMS = Path("params.yaml")
ARTIFACTS = Path("artifacts")
FIXES = Path("data/fixes.csv")  # corrections of labels, in version control

INGEST = ARTIFACTS / "ingest"  # samples.parquet, source.json
VALIDATE = ARTIFACTS / "validate"  # samples.parquet, quarantine.csv, report.json
SPLIT = ARTIFACTS / "split"  # samples.parquet, summary.json
PREPARE = ARTIFACTS / "prepare"  # train/ val/ test/ (stores), preprocessor.json
AUGMENT = ARTIFACTS / "augment"  # policy.json, a preview, train/ (a store, when copies were asked for)
PREVIEWS = "preview.*"  # in AUGMENT, as the modality writes it: .png, .txt
TRAIN = ARTIFACTS / "train"  # model.safetensors, training.json, journal.jsonl, history.csv
# predictions.parquet, metrics.json, calibration.json, report.html, pictures; tables per_class, slices,
# robustness, reliability, confusion (.csv)
EVALUATE = ARTIFACTS / "evaluate"
BUNDLE = ARTIFACTS / "bundle"  # what is registered

STATE = Path(".convoy")  # git-ignored: MLflow, Prefect, caches, checkpoints, live journals
