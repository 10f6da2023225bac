from .critic import DenseCritic as DenseCritic
from .mediar import MediarFormer as MediarFormer
from .repmode import RepMode as RepMode
from .student import Student as Student
from .teacher import Teacher as Teacher
