"""Trainings on workers that do not see this computer's files: the data go there, the run comes."""
