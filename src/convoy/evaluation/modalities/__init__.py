"""How samples are shown: one package a modality.

data_view   Look: in the report on the data (see `convoy.evaluation.data_report.Look`)
view        in the report on a model: see `convoy.evaluation.modalities._base.View`
"""
