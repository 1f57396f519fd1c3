"""The machinery behind the katas: a learner never has to open it."""
