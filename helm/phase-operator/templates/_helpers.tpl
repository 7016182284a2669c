{{- define "phase-operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 55 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "phase-operator.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "phase-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* commonLabels may add, not replace: the selector is immutable and stands on these. */}}
{{- define "phase-operator.labels" -}}
{{- $own := include "phase-operator.selectorLabels" . | fromYaml -}}
{{- $own = merge $own (dict
  "app.kubernetes.io/version" (.Chart.AppVersion | toString)
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_")) -}}
{{- merge $own .Values.commonLabels | toYaml -}}
{{- end -}}

{{/* Labels and annotations of an object: a list of the root, the object's own labels and its own annotations. */}}
{{- define "phase-operator.marks" -}}
{{- $root := index . 0 -}}
labels:
  {{- merge (include "phase-operator.labels" $root | fromYaml) (index . 1) | toYaml | nindent 2 }}
{{- with merge (dict) (index . 2) $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A security context without ids, where the platform gives them out: a list of the root and the context. */}}
{{- define "phase-operator.adapted" -}}
{{- $root := index . 0 -}}
{{- $mode := $root.Values.openshift.adaptSecurityContext -}}
{{- $isOpenShift := $root.Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
{{- if or (eq $mode "always") (and (eq $mode "auto") $isOpenShift) -}}
{{- omit (index . 1) "runAsUser" "runAsGroup" "fsGroup" | toYaml -}}
{{- else -}}
{{- index . 1 | toYaml -}}
{{- end -}}
{{- end -}}

{{- define "phase-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "phase-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "phase-operator.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry -}}
{{- $place := .Values.image.repository -}}
{{- with $registry }}{{ $place = printf "%s/%s" . $place }}{{ end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $place .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $place (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* What the operator may do, in every namespace or in each watched one. The same as deploy/; a test compares them. */}}
{{- define "phase-operator.rules" -}}
- apiGroups: [secrets.phase.dev]
  resources: [phasesecrets, phasedynamicsecrets, phasepushsecrets]
  verbs: [get, list, watch, patch]
- apiGroups: [secrets.phase.dev]
  resources: [phasesecrets/status, phasedynamicsecrets/status, phasepushsecrets/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets, configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- if .Values.restarts.enabled }}
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [get, list, patch]
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get, list, patch]
- apiGroups: [argoproj.io]
  resources: [rollouts]
  verbs: [get, list, patch]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list]
{{- end }}
{{- end -}}

{{/* The grants as the operator reads them: from=a,to=b,what=token;fromLabel=k=v,to=c,what=token+target */}}
{{- define "phase-operator.grants" -}}
{{- $texts := list -}}
{{- range .Values.grants -}}
{{- $parts := list -}}
{{- with .from }}{{ $parts = append $parts (printf "from=%s" .) }}{{ end -}}
{{- range $key, $value := .fromLabels }}{{ $parts = append $parts (printf "fromLabel=%s=%s" $key $value) }}{{ end -}}
{{- $parts = append $parts (printf "to=%s" .to) -}}
{{- $parts = append $parts (printf "what=%s" (join "+" .what)) -}}
{{- $texts = append $texts (join "," $parts) -}}
{{- end -}}
{{- join ";" $texts -}}
{{- end -}}

{{/* Whether a grant asks for labels of namespaces, which nothing else does. */}}
{{- define "phase-operator.asksForLabels" -}}
{{- range .Values.grants }}{{ if .fromLabels }}true{{ end }}{{ end -}}
{{- end -}}

{{- define "phase-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "phase-operator.serviceAccountName" . }}
  namespace: {{ include "phase-operator.namespace" . }}
{{- end -}}

{{/* The ports of the addresses in a list, without repetition: those that they name, else their scheme's. */}}
{{- define "phase-operator.ports" -}}
{{- $ports := list -}}
{{- range . -}}
{{- $parts := urlParse (lower .) -}}
{{- $port := regexFind ":[0-9]+$" $parts.host | trimPrefix ":" -}}
{{- $ports = append $ports (default (ternary 80 443 (eq $parts.scheme "http")) $port | int) -}}
{{- end -}}
{{- range uniq $ports }}
- {port: {{ . }}, protocol: TCP}
{{- end }}
{{- end -}}

{{/* Whether the operator runs with the CA file of a Secret or ConfigMap. */}}
{{- define "phase-operator.hasCa" -}}
{{- if or .Values.phase.caFile.secret .Values.phase.caFile.configMap }}true{{ end -}}
{{- end -}}

{{/* Whether to make an object of a kind that only some clusters know: where there is none, it would fail the release. */}}
{{- define "phase-operator.knows" -}}
{{- $root := index . 0 -}}
{{- $mode := $root.Values.metrics.renderMode -}}
{{- $knows := $root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" (index . 1)) -}}
{{- if and (not $knows) (eq $mode "failIfMissing") -}}
{{- fail (printf "metrics.renderMode is failIfMissing, and the cluster does not know the kind %s of monitoring.coreos.com/v1; install the Prometheus operator, or tell `helm template` by --api-versions monitoring.coreos.com/v1/%s" (index . 1) (index . 1)) -}}
{{- end -}}
{{- if or $knows (eq $mode "alwaysRender") }}true{{ end -}}
{{- end -}}

{{/* Whether an image's name begins with a registry. Engines know it by a dot, a port, a capital letter, or as `localhost`. */}}
{{- define "phase-operator.hasRegistry" -}}
{{- $parts := splitList "/" . -}}
{{- $first := first $parts -}}
{{- if and (gt (len $parts) 1) (or (contains "." $first) (contains ":" $first) (eq $first "localhost") (ne $first (lower $first))) }}true{{ end -}}
{{- end -}}

{{/* The Secrets to pull with, the parent chart's too. */}}
{{- define "phase-operator.pullSecrets" -}}
{{- $secrets := .Values.imagePullSecrets -}}
{{- range .Values.global.imagePullSecrets -}}
{{- $secrets = append $secrets (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- $secrets | uniq | toYaml -}}
{{- end -}}
