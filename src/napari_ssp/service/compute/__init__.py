"""Places that compute: a thread of this process, processes beside it, a server elsewhere."""
