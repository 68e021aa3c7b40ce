#include "controller/rollout/proof.h"

#include "common/content/identity_key.h"

namespace farboot {

std::optional<ReadyProof> own_proof(const AgentReport& report, std::string_view public_key_pem) {
  if (!report.ready_proof || report.ready_proof->document.size() > kReadyProofBytesMax)
    return std::nullopt;
  if (!verify_identity_signature(public_key_pem, DocumentKind::ready, *report.ready_proof))
    return std::nullopt;
  auto proof = decode_ready_proof(report.ready_proof->document);
  if (!proof || proof->agent != report.agent) return std::nullopt;
  return std::move(*proof);
}

}  // namespace farboot
