"""`convoy folds`: the configured training, once for each fold, in folders of its own.

plan      which folds, with which parameters, and the name under which finished ones are found again
conduct   all of them, one after another, each in a process (`convoy.cli.fold_process`); what a killed command
          finished is not done again
results   each fold, mean, standard deviation; an interval over the predictions out of fold
mirror    MLflow: a parent run, a child run for each fold
"""
