"""What a sample is: one package a modality, whose parts the stages load by name.

    checking    NOUN, NOUNS; FACTS, what the sample table keeps; OPENING, CHECKS and LAST, modules of checks
                (see `convoy.data.checks._base`); doubts, the one that suggests labels, or None; facts(…);
                summary(kept)
    preparing   prepare(…); stand_in(section, classes), a preprocessor before there are data
    batching    loading(preprocessor): what of the store a batch holds, and how it is laid out
    augmenting  transforms(section), policy(transforms), trial(…), preview(…), copies(…)

Layers above have their own parts under the same name (see `convoy.plugins.PLACES`).
"""
