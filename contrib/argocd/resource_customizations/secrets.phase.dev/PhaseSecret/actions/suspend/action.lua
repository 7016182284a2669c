-- Leaves targets, or pushed entries, as they are, and makes no call to Phase.
obj.spec.suspend = true
return obj
