"""make peers: the hub between a real Bluesky network and a real Request Tracker."""
