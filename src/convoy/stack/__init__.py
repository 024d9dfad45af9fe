"""The servers of a project or a team under one supervisor: MLflow, Prefect, a worker, the served champion."""
