{{/* What a schema cannot say in a sentence: values that contradict each other. Included by the Deployment. */}}
{{- define "phase-operator.check" -}}
{{- $values := .Values -}}
{{- if and $values.image.digest (not (regexMatch "^sha256:[0-9a-f]{64}$" $values.image.digest)) -}}
{{- fail (printf "image.digest is %s; it has to be sha256: and 64 hexadecimal digits" $values.image.digest) -}}
{{- end -}}
{{- if regexMatch "@|:[^/]*$" $values.image.repository -}}
{{- fail (printf "image.repository is %s; its tag belongs in image.tag, its digest in image.digest" $values.image.repository) -}}
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
{{- if and (eq $values.dnsPolicy "None") (not $values.dnsConfig.nameservers) -}}
{{- fail "dnsPolicy None needs dnsConfig.nameservers: no name would be found" -}}
{{- end -}}
{{- include "phase-operator.checkAlerts" . -}}
{{- include "phase-operator.checkEnv" . -}}
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

{{/* A variable twice fails server-side apply; one that the chart sets has a value of the chart. */}}
{{- define "phase-operator.checkEnv" -}}
{{- $ours := dict
  "HTTP_PROXY" "proxy.http"
  "HTTPS_PROXY" "proxy.https"
  "NO_PROXY" "proxy.noProxy"
  "PHASE_OPERATOR_ALLOW_IMPERSONATION_TYPES" "allowImpersonationTypes"
  "PHASE_OPERATOR_ALLOW_PHASE_HOST" "phase.allowedHosts"
  "PHASE_OPERATOR_CLUSTER_NAME" "push.clusterName"
  "PHASE_OPERATOR_DRAIN_SECONDS" "drainSeconds"
  "PHASE_OPERATOR_ERRAND_WORKERS" "leases.errandWorkers"
  "PHASE_OPERATOR_GRANT" "grants"
  "PHASE_OPERATOR_LEADER_ELECT" "leaderElection.enabled"
  "PHASE_OPERATOR_LEASES_PER_MINUTE" "leases.perMinute"
  "PHASE_OPERATOR_LEASE_DRAIN_SECONDS" "leases.drainSeconds"
  "PHASE_OPERATOR_LEASE_SECONDS" "leaderElection.leaseSeconds"
  "PHASE_OPERATOR_LOG_FORMAT" "log.format"
  "PHASE_OPERATOR_LOG_LEVEL" "log.level"
  "PHASE_OPERATOR_NAMESPACE" "watchNamespaces"
  "PHASE_OPERATOR_PHASE_CA_FILE" "phase.caFile"
  "PHASE_OPERATOR_PUSH" "push.enabled"
  "PHASE_OPERATOR_REMOVAL_SECONDS" "leases.removalSeconds"
  "PHASE_OPERATOR_RESOURCE_METRICS" "metrics.perResource"
  "PHASE_OPERATOR_RESTARTS" "restarts.enabled"
  "PHASE_OPERATOR_RESTARTS_AT_ONCE" "restarts.atOnce"
  "PHASE_OPERATOR_RESTART_SETTLE_SECONDS" "restarts.settleSeconds" -}}
{{- $fixed := list
  "PHASE_OPERATOR_HEALTH_PORT"
  "PHASE_OPERATOR_HOST"
  "PHASE_OPERATOR_LEASE_NAME"
  "PHASE_OPERATOR_METRICS_PORT"
  "PHASE_OPERATOR_POD_NAMESPACE" -}}
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
{{- $least := addf $values.leases.drainSeconds $values.drainSeconds 2 | ceil | int -}}
{{- if kindIs "invalid" $values.terminationGracePeriodSeconds -}}
{{- $least -}}
{{- else if lt (int $values.terminationGracePeriodSeconds) $least -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, and leases.drainSeconds (%v) and drainSeconds (%v), with 2 for the rest, take %d; raise it, leave it out, or lower these" (int $values.terminationGracePeriodSeconds) $values.leases.drainSeconds $values.drainSeconds $least) -}}
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
