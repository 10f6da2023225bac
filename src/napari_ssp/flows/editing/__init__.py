"""Objects of a plane of labels edited by the flows, without a network."""
