import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from models_runtime.append_only import AppendOnly


class Migration(migrations.Migration):
    dependencies = [
        ("models_runtime", "0004_endpoint_keys"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="AuditPlace",
            fields=[
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="place",
                        serialize=False,
                        to="models_runtime.auditevent",
                    ),
                ),
                ("channel", models.CharField(max_length=20)),
                ("address", models.GenericIPAddressField(null=True)),
                ("agent", models.CharField(blank=True, max_length=60)),
                ("kept_since", models.DateTimeField(db_index=True, null=True)),
            ],
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["project", "at", "id"], name="audit_of_project"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["project", "verb", "at", "id"], name="audit_of_verb"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                fields=["project", "actor", "at", "id"], name="audit_of_actor"
            ),
        ),
        AppendOnly("auditevent"),
    ]
