"""`dppctl init`: sets up continuous deployment of the app in a folder."""
