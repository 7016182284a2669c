-- What can be done to a resource: a suspended one can be resumed and nothing else.
local is_suspended = obj.spec ~= nil and obj.spec.suspend == true

return {
  sync = { disabled = is_suspended },
  suspend = { disabled = is_suspended },
  resume = { disabled = not is_suspended },
}
