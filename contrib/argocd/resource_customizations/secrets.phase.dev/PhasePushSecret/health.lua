-- How Argo CD judges our resources. Their status follows kstatus: Ready always exists, Stalled and Reconciling only while
-- true, and observedGeneration says which spec they are about.
if obj.metadata.deletionTimestamp ~= nil then
  return { status = "Progressing", message = "Being deleted" }
end
if obj.status == nil or obj.status.conditions == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for phase-operator to read it" }
end

local standing = {}
for _, condition in ipairs(obj.status.conditions) do
  if condition.status == "True" then
    standing[condition.type] = condition
  end
end

local function judged(status, condition)
  return { status = status, message = condition.reason .. ": " .. condition.message }
end

if standing.Stalled ~= nil then
  return judged("Degraded", standing.Stalled)
end
if standing.Reconciling ~= nil then
  return judged("Progressing", standing.Reconciling)
end
if standing.Ready ~= nil and standing.Ready.reason == "Suspended" then
  return judged("Suspended", standing.Ready)
end
if standing.Ready ~= nil then
  return judged("Healthy", standing.Ready)
end
return { status = "Progressing", message = "Not ready yet" }
