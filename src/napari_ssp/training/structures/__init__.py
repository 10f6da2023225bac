"""RepMode's recipe: crops of stacks with one structure each."""
