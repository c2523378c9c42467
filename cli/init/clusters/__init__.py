"""`dppctl init PROVIDER` of a cluster: what it is asked, how far it is, and how it is made and removed."""
