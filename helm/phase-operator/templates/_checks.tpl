{{/* What a schema cannot say in a sentence: values that contradict each other. Included by the Deployment. */}}
{{- define "phase-operator.check" -}}
{{- $values := .Values -}}
{{- if and $values.image.digest (not (regexMatch "^sha256:[0-9a-f]{64}$" $values.image.digest)) -}}
{{- fail (printf "image.digest is %s; it has to be sha256: and 64 hexadecimal digits" $values.image.digest) -}}
{{- end -}}
{{- if regexMatch "@|:[^/]*$" $values.image.repository -}}
{{- fail (printf "image.repository is %s; its tag belongs in image.tag, its digest in image.digest" $values.image.repository) -}}
{{- end -}}
{{- $image := include "phase-operator.image" . -}}
{{- if and (not $values.crds.only) (not $values.image.allowLocal) (not (include "phase-operator.hasRegistry" $image)) -}}
{{- fail (printf "image: %s names no registry, so a node would look for it at Docker Hub or refuse the name; set image.registry, such as registry.example.com/team, or image.allowLocal to true if every node has the image already" $image) -}}
{{- end -}}
{{- if and $values.crds.only (not $values.crds.install) -}}
{{- fail "crds.only is true and crds.install is false: nothing would be left; leave out one of them" -}}
{{- end -}}
{{- if and $values.rbac.aggregateTo.edit (not $values.rbac.aggregateTo.admin) -}}
{{- fail "rbac.aggregateTo.edit is true and rbac.aggregateTo.admin is false: Kubernetes gives admin all that edit has; set both alike, or edit to false" -}}
{{- end -}}
{{- if and (gt (int $values.replicas) 1) (not $values.leaderElection.enabled) -}}
{{- fail (printf "replicas is %d and leaderElection.enabled is false: they would write against each other; set replicas to 1, or leave leader election on" (int $values.replicas)) -}}
{{- end -}}
{{- if and (not $values.leaderElection.enabled) (ne (default "Recreate" $values.strategy.type) "Recreate") -}}
{{- fail (printf "strategy.type is %s and leaderElection.enabled is false: old and new pod would write against each other; use Recreate, or leave leader election on" $values.strategy.type) -}}
{{- end -}}
{{- if and $values.strategy.rollingUpdate (ne (default "" $values.strategy.type) "RollingUpdate") -}}
{{- fail "strategy.rollingUpdate needs strategy.type RollingUpdate" -}}
{{- end -}}
{{- if and $values.phase.caFile.secret $values.phase.caFile.configMap -}}
{{- fail "phase.caFile names a Secret and a ConfigMap; name one of them" -}}
{{- end -}}
{{- range $values.grants -}}
{{- if and $values.watchNamespaces (ne .to "*") (not (has .to $values.watchNamespaces)) -}}
{{- fail (printf "grants: %s is not among watchNamespaces" .to) -}}
{{- end -}}
{{- end -}}
{{- if and $values.metrics.serviceMonitor.enabled $values.metrics.podMonitor.enabled -}}
{{- fail "metrics.serviceMonitor and metrics.podMonitor would read everything twice; enable one of them" -}}
{{- end -}}
{{- if and $values.metrics.serviceMonitor.enabled (not $values.metrics.service.enabled) -}}
{{- fail "metrics.serviceMonitor needs metrics.service.enabled; or use metrics.podMonitor" -}}
{{- end -}}
{{- if regexMatch "^(127\\.|::1$)" $values.metrics.bindAddress -}}
{{- if and $values.metrics.service.enabled (eq (toString $values.metrics.service.targetPort) "metrics") -}}
{{- fail (printf "metrics.bindAddress is %s, which only the pod itself reaches, and the Service leads to the operator; set metrics.service.targetPort to the port of the container that serves the metrics, or metrics.service.enabled to false" $values.metrics.bindAddress) -}}
{{- end -}}
{{- if $values.metrics.podMonitor.enabled -}}
{{- fail (printf "metrics.bindAddress is %s, which only the pod itself reaches, and metrics.podMonitor reads from the operator; use metrics.serviceMonitor with metrics.service.targetPort" $values.metrics.bindAddress) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $values.dnsPolicy "None") (not $values.dnsConfig.nameservers) -}}
{{- fail "dnsPolicy None needs dnsConfig.nameservers: no name would be found" -}}
{{- end -}}
{{- include "phase-operator.checkBudget" . -}}
{{- include "phase-operator.checkHosts" . -}}
{{- include "phase-operator.checkMonitors" . -}}
{{- include "phase-operator.checkAlerts" . -}}
{{- include "phase-operator.checkEnv" . -}}
{{- include "phase-operator.checkArgs" . -}}
{{- include "phase-operator.checkPodSpec" . -}}
{{- include "phase-operator.checkVolumes" . -}}
{{- range concat $values.extraInitContainers $values.extraContainers -}}
{{- if eq .name "operator" -}}
{{- fail "extraContainers and extraInitContainers: operator is the name of the chart's own container; take another" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A misspelt name would leave an alert on that somebody believes to be off. */}}
{{- define "phase-operator.checkAlerts" -}}
{{- $names := list -}}
{{- range (.Files.Get "files/alerts.yaml" | fromYaml).groups }}{{ range .rules }}{{ $names = append $names .alert }}{{ end }}{{ end -}}
{{- range .Values.metrics.prometheusRule.disabled -}}
{{- if not (has . $names) -}}
{{- fail (printf "metrics.prometheusRule.disabled: there is no alert %s; there are %s" . (join ", " $names)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The variables that a value of the chart sets, each with the value. */}}
{{- define "phase-operator.variables" -}}
{{- dict
  "HTTP_PROXY" "proxy.http"
  "HTTPS_PROXY" "proxy.https"
  "NO_PROXY" "proxy.noProxy"
  "PHASE_OPERATOR_ALLOW_IMPERSONATION_TYPES" "allowImpersonationTypes"
  "PHASE_OPERATOR_ALLOW_PHASE_HOST" "phase.allowedHosts"
  "PHASE_OPERATOR_CLUSTER_NAME" "push.clusterName"
  "PHASE_OPERATOR_DEFAULT_HOST" "phase.defaultHost"
  "PHASE_OPERATOR_DRAIN_SECONDS" "drainSeconds"
  "PHASE_OPERATOR_ERRAND_WORKERS" "leases.errandWorkers"
  "PHASE_OPERATOR_FULL_READ_SECONDS" "phase.fullReadSeconds"
  "PHASE_OPERATOR_GRANT" "grants"
  "PHASE_OPERATOR_LEADER_ELECT" "leaderElection.enabled"
  "PHASE_OPERATOR_LEASES_PER_MINUTE" "leases.perMinute"
  "PHASE_OPERATOR_LEASE_DRAIN_SECONDS" "leases.drainSeconds"
  "PHASE_OPERATOR_LEASE_SECONDS" "leaderElection.leaseSeconds"
  "PHASE_OPERATOR_LOG_FORMAT" "log.format"
  "PHASE_OPERATOR_LOG_LEVEL" "log.level"
  "PHASE_OPERATOR_METRICS_HOST" "metrics.bindAddress"
  "PHASE_OPERATOR_NAMESPACE" "watchNamespaces"
  "PHASE_OPERATOR_PHASE_CA_FILE" "phase.caFile"
  "PHASE_OPERATOR_PHASE_QUOTA" "phase.quota"
  "PHASE_OPERATOR_PHASE_WORKERS" "phase.workers"
  "PHASE_OPERATOR_PUSH" "push.enabled"
  "PHASE_OPERATOR_REFERENCE_SECONDS" "phase.referenceSeconds"
  "PHASE_OPERATOR_REMOVAL_SECONDS" "leases.removalSeconds"
  "PHASE_OPERATOR_RESOURCE_METRICS" "metrics.perResource"
  "PHASE_OPERATOR_RESTARTS" "restarts.enabled"
  "PHASE_OPERATOR_RESTARTS_AT_ONCE" "restarts.atOnce"
  "PHASE_OPERATOR_RESTART_SETTLE_SECONDS" "restarts.settleSeconds"
  "PHASE_OPERATOR_WORKERS" "workers" | toYaml -}}
{{- end -}}

{{/* The variables on which other parts of the chart rely. */}}
{{- define "phase-operator.fixedVariables" -}}
{{- list
  "PHASE_OPERATOR_HEALTH_PORT"
  "PHASE_OPERATOR_HOST"
  "PHASE_OPERATOR_LEASE_NAME"
  "PHASE_OPERATOR_METRICS_PORT"
  "PHASE_OPERATOR_POD_NAMESPACE" | toYaml -}}
{{- end -}}

{{/* A variable twice fails server-side apply; one that the chart sets has a value of the chart. */}}
{{- define "phase-operator.checkEnv" -}}
{{- $ours := include "phase-operator.variables" . | fromYaml -}}
{{- $fixed := include "phase-operator.fixedVariables" . | fromYamlArray -}}
{{- $seen := list -}}
{{- range .Values.extraEnv -}}
{{- if hasKey $ours .name -}}
{{- fail (printf "extraEnv: %s comes from the value %s; set that" .name (get $ours .name)) -}}
{{- end -}}
{{- if has .name $fixed -}}
{{- fail (printf "extraEnv: probes, Service and roles of the chart rely on its own %s; leave it out" .name) -}}
{{- end -}}
{{- if has .name $seen -}}
{{- fail (printf "extraEnv: %s is there twice" .name) -}}
{{- end -}}
{{- $seen = append $seen .name -}}
{{- end -}}
{{- end -}}

{{/*
Seconds from SIGTERM to SIGKILL. One drain follows the other; then Events have a second, and the Lease is given back.
*/}}
{{- define "phase-operator.gracePeriod" -}}
{{- $values := .Values -}}
{{- $sleep := dig "preStop" "sleep" "seconds" 0 $values.lifecycle -}}
{{- $least := addf $sleep $values.leases.drainSeconds $values.drainSeconds 2 | ceil | int -}}
{{- if kindIs "invalid" $values.terminationGracePeriodSeconds -}}
{{- $least -}}
{{- else if lt (int $values.terminationGracePeriodSeconds) $least -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, and leases.drainSeconds (%v) and drainSeconds (%v), with 2 for the rest%s, take %d; raise it, leave it out, or lower these" (int $values.terminationGracePeriodSeconds) $values.leases.drainSeconds $values.drainSeconds (ternary (printf " and %v for the sleep of lifecycle.preStop" $sleep) "" (ne (int $sleep) 0)) $least) -}}
{{- else -}}
{{- int $values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{- define "phase-operator.checkVolumes" -}}
{{- $names := list "tmp" "phase-ca" -}}
{{- range .Values.extraVolumes -}}
{{- if has .name $names -}}
{{- fail (printf "extraVolumes: %s is there already" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- $paths := list "/tmp" "/etc/phase-operator/ca" -}}
{{- range .Values.extraVolumeMounts -}}
{{- if not (has .name (without $names "tmp" "phase-ca")) -}}
{{- fail (printf "extraVolumeMounts: there is no volume %s in extraVolumes" .name) -}}
{{- end -}}
{{- if has (trimSuffix "/" .mountPath) $paths -}}
{{- fail (printf "extraVolumeMounts: %s is taken" .mountPath) -}}
{{- end -}}
{{- $paths = append $paths (trimSuffix "/" .mountPath) -}}
{{- end -}}
{{- end -}}

{{/* A budget that no drain of a node gets past would stop every upgrade of the cluster. */}}
{{- define "phase-operator.checkBudget" -}}
{{- $budget := .Values.podDisruptionBudget -}}
{{- $replicas := int .Values.replicas -}}
{{- if not (kindIs "invalid" $budget.minAvailable) -}}
{{- if not (kindIs "invalid" $budget.maxUnavailable) -}}
{{- fail "podDisruptionBudget: minAvailable and maxUnavailable are both set; set one of them" -}}
{{- end -}}
{{- $text := $budget.minAvailable | toString -}}
{{- $share := divf (mulf (trimSuffix "%" $text | float64) $replicas) 100 | ceil | int -}}
{{- $stay := ternary $share (int $budget.minAvailable) (hasSuffix "%" $text) -}}
{{- if and $budget.enabled (gt $replicas 1) (ge $stay $replicas) -}}
{{- fail (printf "podDisruptionBudget.minAvailable is %s of %d replicas: no node that runs one could be drained; make it less, or replicas more" $text $replicas) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A host for resources that name none has to be one that may be asked. */}}
{{- define "phase-operator.checkHosts" -}}
{{- $phase := .Values.phase -}}
{{- if and $phase.defaultHost $phase.allowedHosts -}}
{{- $asked := include "phase-operator.origin" $phase.defaultHost -}}
{{- $isAllowed := false -}}
{{- range $phase.allowedHosts -}}
{{- $allowed := include "phase-operator.origin" . -}}
{{- $oneLabelMore := regexReplaceAll "^(https?://)[^.:]+" $asked "${1}*" -}}
{{- if has $allowed (list $asked $oneLabelMore) }}{{ $isAllowed = true }}{{ end -}}
{{- end -}}
{{- if not $isAllowed -}}
{{- fail (printf "phase.defaultHost is %s, which phase.allowedHosts leaves out: every resource that names no host would be refused; add it there" $phase.defaultHost) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Scheme, name and port of an address, in one way of writing them. */}}
{{- define "phase-operator.origin" -}}
{{- $parts := urlParse (lower .) -}}
{{- $usual := ternary ":80" ":443" (eq $parts.scheme "http") -}}
{{- printf "%s://%s" $parts.scheme (regexMatch ":[0-9]+$" $parts.host | ternary $parts.host (printf "%s%s" $parts.host $usual)) -}}
{{- end -}}

{{- define "phase-operator.checkMonitors" -}}
{{- range $name, $monitor := pick .Values.metrics "serviceMonitor" "podMonitor" -}}
{{- if and $monitor.tlsConfig (ne $monitor.scheme "https") -}}
{{- fail (printf "metrics.%s.tlsConfig needs metrics.%s.scheme https: over http there is no certificate to check" $name $name) -}}
{{- end -}}
{{- end -}}
{{- $service := .Values.metrics.service -}}
{{- if and (eq (len $service.ipFamilies) 2) (not (has $service.ipFamilyPolicy (list "PreferDualStack" "RequireDualStack"))) -}}
{{- fail "metrics.service.ipFamilies names two families; set metrics.service.ipFamilyPolicy to PreferDualStack or RequireDualStack" -}}
{{- end -}}
{{- end -}}

{{/* A flag wins over its variable, and so would over the value that sets it. */}}
{{- define "phase-operator.checkArgs" -}}
{{- $ours := include "phase-operator.variables" . | fromYaml -}}
{{- $fixed := include "phase-operator.fixedVariables" . | fromYamlArray -}}
{{- range .Values.extraArgs -}}
{{- $flag := regexFind "^--[^=]*" . -}}
{{- $variable := printf "PHASE_OPERATOR_%s" (trimPrefix "--" $flag | upper | replace "-" "_") -}}
{{- if hasKey $ours $variable -}}
{{- fail (printf "extraArgs: %s comes from the value %s; set that" $flag (get $ours $variable)) -}}
{{- end -}}
{{- if has $variable $fixed -}}
{{- fail (printf "extraArgs: probes, Service and roles of the chart rely on its own %s; leave it out" $flag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A field twice would be no YAML; one with a value of the chart is set by that. */}}
{{- define "phase-operator.checkPodSpec" -}}
{{- $values := list "affinity" "dnsConfig" "dnsPolicy" "hostAliases" "hostUsers" "imagePullSecrets" "nodeSelector" "priorityClassName" "runtimeClassName" "schedulerName" "terminationGracePeriodSeconds" "tolerations" "topologySpreadConstraints" -}}
{{- $others := dict "containers" "extraContainers" "initContainers" "extraInitContainers" "securityContext" "podSecurityContext" "serviceAccountName" "serviceAccount" "volumes" "extraVolumes" -}}
{{- range $field, $_ := .Values.podSpecExtra -}}
{{- if has $field $values -}}
{{- fail (printf "podSpecExtra: %s is a value of the chart; set that" $field) -}}
{{- end -}}
{{- if hasKey $others $field -}}
{{- fail (printf "podSpecExtra: %s comes from the value %s; set that" $field (get $others $field)) -}}
{{- end -}}
{{- if has $field (list "automountServiceAccountToken" "enableServiceLinks" "restartPolicy" "serviceAccount") -}}
{{- fail (printf "podSpecExtra: the operator needs %s as the chart sets it; leave it out" $field) -}}
{{- end -}}
{{- end -}}
{{- end -}}
