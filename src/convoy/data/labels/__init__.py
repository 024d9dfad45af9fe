"""Labels that a model trained on the other samples doubts.

embed      thumbnails to features: oriented gradients and a little colour
folds      who is judged by a model that has seen neither him nor his like
crossval   out-of-fold probabilities of a kernel machine
ranking    which labels are doubtful, by confident learning
audit      all of it, over a sample table
check      the check `label_issues` of the gate
suggestions  what is shown to a person, and the table that this person fills in
decisions  that table, filled in
"""
