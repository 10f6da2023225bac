from .critic import DenseCritic as DenseCritic
from .mediar import MediarFormer as MediarFormer
from .repmode import RepMode as RepMode
