-- When the policy's account gave a code that no phone's browser can pay by; null once the policy is set again.
ALTER TABLE phone_policies ADD COLUMN no_link_at BIGINT;
