-- Takes the field out, as Git has it, and the note of who suspended it; has Phase asked at once.
obj.spec.suspend = nil
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["secrets.phase.dev/suspended-because"] = nil
obj.metadata.annotations["secrets.phase.dev/sync"] = "argocd " .. obj.metadata.resourceVersion
return obj
