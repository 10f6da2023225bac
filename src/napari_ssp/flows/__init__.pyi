from .checking import measure_agreement as measure_agreement
from .diffusion import labels_to_flows as labels_to_flows
from .field import FlowField as FlowField, TrackingSettings as TrackingSettings
from .linking import link_labels as link_labels, link_stored as link_stored
from .orthogonal import combine_orthogonal_flows as combine_orthogonal_flows
from .stitching import stitch_labels as stitch_labels
from .tracking import batch_to_labels as batch_to_labels, flows_to_labels as flows_to_labels
