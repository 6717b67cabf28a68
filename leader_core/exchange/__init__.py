"""Cases in and out: LEADER's own JSON, pasted lists, FHIR bundles. What cannot be read is listed, never dropped."""
