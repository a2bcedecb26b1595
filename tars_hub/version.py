"""The one place the version stands; the build reads it without importing anything."""

VERSION = "0.1.0"
