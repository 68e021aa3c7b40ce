#include "controller/api/handlers.h"

namespace farboot {

grpc::Status FleetService::Handlers::IssueOperator(Context* context,
                                                   const v1::IssueOperatorRequest* request,
                                                   v1::IssueOperatorResponse* out) {
  return answer(context, "IssueOperator", Role::admin, Kind::change,
                [&](const PeerIdentity& caller) -> Result<void> {
                  const auto role = role_from(request->role());
                  if (!role) return role.error();
                  auto issued = parts_.operators.issue(
                      {request->name(), *role, request->csr_pem(), caller.name});
                  if (!issued) return issued.error();
                  out->set_certificate_pem(std::move(issued->certificate_pem));
                  out->set_ca_pem(std::move(issued->ca_pem));
                  *out->mutable_record() = to_proto(issued->record);
                  return {};
                });
}

grpc::Status FleetService::Handlers::ListOperators(Context* context,
                                                   const v1::ListOperatorsRequest*,
                                                   v1::ListOperatorsResponse* out) {
  return answer(context, "ListOperators", Role::viewer, Kind::look,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto operators = parts_.operators.operators();
                  if (!operators) return operators.error();
                  for (const OperatorRecord& record : *operators)
                    *out->add_operators() = to_proto(record);
                  return {};
                });
}

grpc::Status FleetService::Handlers::RevokeOperator(Context* context,
                                                    const v1::RevokeOperatorRequest* request,
                                                    v1::RevokeOperatorResponse* out) {
  return answer(context, "RevokeOperator", Role::admin, Kind::change,
                [&](const PeerIdentity& caller) -> Result<void> {
                  const auto revoked = parts_.operators.revoke(
                      request->name(), request->certificate_serial(), caller.name);
                  if (!revoked) return revoked.error();
                  for (const OperatorRecord& record : *revoked)
                    *out->add_operators() = to_proto(record);
                  return {};
                });
}

}  // namespace farboot
