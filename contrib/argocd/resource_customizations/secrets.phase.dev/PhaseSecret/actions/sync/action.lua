-- Has Phase asked now. Another text than the last one counts, and each write of the resource changes its resourceVersion.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["secrets.phase.dev/sync"] = "argocd " .. obj.metadata.resourceVersion
return obj
